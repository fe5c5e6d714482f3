"""From policies to the rules of one proxy: match, split, order, merge."""
