"""The rows of a SQL query of any size, frozen as a data set with a receipt."""
