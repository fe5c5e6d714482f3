"""The targetRef policies, one module each: what one may say, and what is wrong with it."""
