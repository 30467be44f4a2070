"""A believable marketplace, the same for the same seed: who offers what, where and for how much."""
