"""Measures a night in which nothing is to be copied against a DAG of empty tasks."""
