"""What makes the pages and files of the documentation that no hand writes, and reads the listings that hands did."""
