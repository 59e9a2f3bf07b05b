"""Foreign bytes for all that reads them: a sample in the suite, and as long as one likes by ``make fuzz``."""
