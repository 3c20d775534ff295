// The two loops of a neighbour list that take its time: looking through the boxes around an atom, and
// writing the list. No multiplication is fused with an addition, so every processor finds the same bits.
#pragma once
#include <stdint.h>

// Atoms sorted into boxes. Vectors of three take the room of four throughout.
struct sluice_neighbors_grid {
  double vectors[9];                          // rows; Å
  int32_t counts[3], reach[3], periodic[3];   // boxes, boxes to look at on either side, whether it repeats
  const double *positions, *wrapped;          // [atoms][4], as given and inside the cell
  const int32_t *wraps, *homes;               // [atoms][4], translations into the cell, box
  const long *starts;                      // first slot of each box; one more than boxes
  const double *x, *y, *z;                    // [slots + 8], wrapped positions box by box
  const int32_t *tags;                        // [slots + 8][4], translations and index of the atom in a slot
  const int32_t *slots;                       // [atoms], where each atom is
  double cutoff, inner, outer;                // squares, Å²: of the cutoff, and of the shell of doubt around it
};

// Slots that `search` looks at between two looks at the limit.
#define SLUICE_NEIGHBORS_CHUNK 8

// Finds the neighbours of atoms `first` up to `last`: found[k] = image and index, those of one index with
// ascending images; counts[atom] says how many. Stops before an atom that might not find room (limit + one chunk),
// and after one with more than `limit`. Returns the atom behind the last one done.
long sluice_neighbors_search(const struct sluice_neighbors_grid *grid, long first, long last, long limit,
                                long room, int32_t *found, long *counts);

// Turns what was found of atoms `first` up to `last`, atom after atom with atom `first` at `found`, into the lists of
// centres `first_centre` up to `last_centre`: pair i -> j becomes the entry j -> i, so that every list is sorted by
// index and image once all atoms have been there in ascending order. offsets: where each atom's list starts; next: a
// copy, changed. list: 40 bytes an entry, displacement, image, index. Returns 0, or 1 if a pair was found from one
// side only.
int32_t sluice_neighbors_hand_over(const struct sluice_neighbors_grid *grid, long first, long last, long first_centre,
                                   long last_centre, const int32_t *found, const long *offsets, long *next,
                                   void *list);
