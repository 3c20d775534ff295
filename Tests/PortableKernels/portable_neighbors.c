#define CLONES
#define sluice_neighbors_hand_over portable_neighbors_hand_over
#define sluice_neighbors_search portable_neighbors_search

#include "../../Sources/Bindings/CNeighbors/search.c"
