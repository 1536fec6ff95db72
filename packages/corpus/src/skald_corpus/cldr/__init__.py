"""Evaluation items from the Unicode CLDR: number agreement, case after prepositions, the calendar.

Strings are read from babel when items are made and stand nowhere in the repository. They are under the
Unicode License v3 (`NOTICE`).
"""
