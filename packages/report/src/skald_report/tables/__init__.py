"""The numbers of the page, one data frame each; nothing here draws, words or formats."""
