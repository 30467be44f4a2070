"""What may stand in a field: readers that turn JSON as it arrives into what is stored, or say why they cannot."""
