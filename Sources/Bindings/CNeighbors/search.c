#include "CNeighbors.h"

#include <string.h>

#pragma STDC FP_CONTRACT OFF

typedef double v8 __attribute__((vector_size(64), aligned(8), may_alias));
typedef double v4 __attribute__((vector_size(32), aligned(8), may_alias));
typedef _Bool bits __attribute__((ext_vector_type(8)));
typedef int32_t i4 __attribute__((vector_size(16), aligned(4), may_alias));

#ifndef CLONES
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#endif
#define INLINE static inline __attribute__((always_inline))

// The box at a place of the endless grid and the image it belongs to; 0 beyond atoms that do not repeat.
INLINE int box(const struct sluice_neighbors_grid *g, int d, int32_t place, int32_t *inside, int32_t *image) {
  int32_t count = g->counts[d];
  *inside = place, *image = 0;
  if (place >= 0 && place < count) return 1;
  if (!g->periodic[d]) return 0;
  if (place >= 0) *image = place < 2 * count ? 1 : place / count;
  else *image = place >= -count ? -1 : -((count - 1 - place) / count);
  *inside = place - *image * count;
  return 1;
}

// image * vectors, in the order in which Matrix3 does it.
INLINE void translation(const struct sluice_neighbors_grid *g, const int32_t *image, v4 *out) {
  const double *v = g->vectors;
  v4 a = {v[0], v[1], v[2], 0}, b = {v[3], v[4], v[5], 0}, c = {v[6], v[7], v[8], 0};
  *out = (double)image[0] * a + (double)image[1] * b + (double)image[2] * c;
}

// Whether positions as given are nearer than the cutoff.
INLINE int is_near(const struct sluice_neighbors_grid *g, long atom, const int32_t *pair) {
  v4 shift;
  translation(g, pair, &shift);
  v4 r = (*(const v4 *)(g->positions + 4 * (long)pair[3]) - *(const v4 *)(g->positions + 4 * atom)) + shift;
  return r[0] * r[0] + r[1] * r[1] + r[2] * r[2] < g->cutoff;
}

// A bit for each lane below a limit.
INLINE unsigned less(const v8 *v, double limit) {
  bits lanes = __builtin_convertvector(*v < limit, bits);
  unsigned char mask;
  memcpy(&mask, &lanes, 1);
  return mask;
}

// Appends what slots `from` up to `to` hold of an atom's neighbours. tag: what turns a slot's translations into the
// pair's image; self: the slot of the atom itself, -1 where an image of it is meant.
INLINE long append(const struct sluice_neighbors_grid *g, long atom, long from, long to, const i4 *tag,
                      const v4 *centre, long self, long limit, long count, int32_t *found) {
  for (long k = from; k < to && count <= limit; k += SLUICE_NEIGHBORS_CHUNK) {
    v8 x = *(const v8 *)(g->x + k) - (*centre)[0], y = *(const v8 *)(g->y + k) - (*centre)[1],
       z = *(const v8 *)(g->z + k) - (*centre)[2];
    double square[8] __attribute__((aligned(64)));
    v8 d2 = x * x + y * y + z * z;
    long left = to - k;
    unsigned near = less(&d2, g->outer) & (left < 8 ? (1u << left) - 1 : 0xff);
    if (self >= k && self < k + 8) near &= ~(1u << (self - k));
    long before = count;
    int doubt = (near & ~less(&d2, g->inner)) != 0;
    // Whether a slot is near is anyone's guess: counting without a branch is faster.
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; j++) {
      *(i4 *)(found + 4 * count) = *(const i4 *)(g->tags + 4 * (k + j)) + *tag;
      count += near >> j & 1;
    }
    if (!doubt) continue;
    // Wrapped positions do not decide within their rounding; those as given do.
    count = before;
    *(v8 *)square = d2;
    for (int j = 0; j < 8; j++) {
      if (!(near >> j & 1)) continue;
      i4 pair = *(const i4 *)(g->tags + 4 * (k + j)) + *tag;
      int32_t entry[4];
      memcpy(entry, &pair, sizeof entry);
      if (square[j] >= g->inner && !is_near(g, atom, entry)) continue;
      memcpy(found + 4 * count++, entry, sizeof entry);
    }
  }
  return count;
}

INLINE long neighbors(const struct sluice_neighbors_grid *g, long atom, long limit, int32_t *found) {
  const int32_t *home = g->homes + 4 * atom, *wrap = g->wraps + 4 * atom;
  v4 own = *(const v4 *)(g->wrapped + 4 * atom);
  long count = 0;
  for (int32_t px = home[0] - g->reach[0]; px <= home[0] + g->reach[0]; px++) {
    int32_t bx, ix, by, iy, bz, iz;
    if (!box(g, 0, px, &bx, &ix)) continue;
    for (int32_t py = home[1] - g->reach[1]; py <= home[1] + g->reach[1]; py++) {
      if (!box(g, 1, py, &by, &iy)) continue;
      const long *row = g->starts + ((long)bx * g->counts[1] + by) * g->counts[2];
      int32_t last = home[2] + g->reach[2], pz = home[2] - g->reach[2];
      while (pz <= last) {
        if (!box(g, 2, pz, &bz, &iz)) {
          pz++;
          continue;
        }
        // Boxes of one image that follow each other along z are one range of slots.
        int32_t run = last - pz < g->counts[2] - 1 - bz ? last - pz : g->counts[2] - 1 - bz;
        int32_t image[3] = {ix, iy, iz};
        int inside = !(ix | iy | iz);
        v4 centre = own, shift;
        if (!inside) {
          translation(g, image, &shift);
          centre = own - shift;
        }
        i4 tag = {ix - wrap[0], iy - wrap[1], iz - wrap[2], 0};
        count = append(g, atom, row[bz], row[bz + run + 1], &tag, &centre, inside ? g->slots[atom] : -1, limit, count,
                       found);
        if (count > limit) return count;
        pz += run + 1;
      }
    }
  }
  return count;
}

CLONES long sluice_neighbors_search(const struct sluice_neighbors_grid *grid, long first, long last,
                                       long limit, long room, int32_t *found, long *counts) {
  long used = 0;
  for (long atom = first; atom < last; atom++) {
    if (room - used < limit + 2 * SLUICE_NEIGHBORS_CHUNK) return atom;
    counts[atom] = neighbors(grid, atom, limit, found + 4 * used);
    used += counts[atom];
    if (counts[atom] > limit) return atom + 1;
  }
  return last;
}

CLONES int32_t sluice_neighbors_hand_over(const struct sluice_neighbors_grid *grid, long first, long last,
                                          long first_centre, long last_centre, const int32_t *found,
                                          const long *offsets, long *next, void *list) {
  const i4 opposite = {-1, -1, -1, 1};
  found -= 4 * offsets[first];
  for (long atom = first; atom < last; atom++) {
    v4 position = *(const v4 *)(grid->positions + 4 * atom);
    // Backwards, so that opposite images ascend.
    for (long k = offsets[atom + 1] - 1; k >= offsets[atom]; k--) {
      long centre = found[4 * k + 3];
      if (centre < first_centre || centre >= last_centre) continue;
      i4 entry = *(const i4 *)(found + 4 * k) * opposite;
      int32_t image[3] = {entry[0], entry[1], entry[2]};
      v4 shift;
      translation(grid, image, &shift);
      // From the positions as given, so that i -> j and j -> i agree to the last bit.
      v4 r = (position - *(const v4 *)(grid->positions + 4 * centre)) + shift;
      if (next[centre] >= offsets[centre + 1]) return 1;
      char *out = (char *)list + 40 * next[centre]++;
      entry[3] = (int32_t)atom;
      memcpy(out, &r, 24);
      memcpy(out + 24, &entry, 16);
    }
  }
  return 0;
}
