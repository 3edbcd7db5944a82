"""What we know: the shop's tables (`tables/`), and one definition per feature over them (`views/`), valid as of any moment."""
