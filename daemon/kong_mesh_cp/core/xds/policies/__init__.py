"""The effects of policies on what is generated: for each kind in `core/policy/kinds` its twin."""
