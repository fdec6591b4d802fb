"""The attack cases, one module for each group of the catalogue or part of a group."""
