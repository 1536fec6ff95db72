"""All figures, as SVG text: the only modules that import seaborn and matplotlib."""
