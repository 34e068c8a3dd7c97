"""The compiled part of the search: the only modules that import numba, imported where a search begins."""
