// Novelty
