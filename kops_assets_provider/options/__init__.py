"""The options of the DAGs, the operators and the command, in one table."""
