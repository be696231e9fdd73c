"""The proving process: what crosses to it and back, the program itself, and how it is kept running."""
