"""May this data go on? One final decision per RED run."""
