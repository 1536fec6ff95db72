"""From a recipe to a plan: every number that needs no fit."""
