// Forces of sixteen potentials that share a basis, in single precision: meant for differences from their
// mean. The lanes are the members; a pair of atoms of one element is contracted once for both of its atoms.
#include "harmonics.h"

typedef float f16 __attribute__((vector_size(64), aligned(64), may_alias));
typedef float f8 __attribute__((vector_size(32), aligned(32), may_alias));

CLONES void sluice_ace_member_weights(const struct sluice_ace_leaf_term *terms, const int32_t *starts,
                                      int32_t leaves, const double *nodes, int32_t components,
                                      const float *coefficients, int32_t lanes, float *single, float *weights,
                                      int64_t stride) {
  for (int k = 0; k < components; k++)
    *(f8 *)(single + 8L * k) = __builtin_convertvector(*(const v8 *)(nodes + 8L * k), f8);
  const f16 *c = (const f16 *)coefficients;
  for (int leaf = 0; leaf < leaves; leaf++) {
    f16 sum[8] = {{0}};
    for (int e = starts[leaf]; e < starts[leaf + 1]; e++) {
      f16 weight = c[terms[e].function] * terms[e].scale;
      const float *node = single + 8L * terms[e].node;
      if (terms[e].node < 0)
        for (int j = 0; j < 8; j++) sum[j] += weight;
      else
        for (int j = 0; j < 8; j++) sum[j] += weight * node[j];
    }
    for (int j = 0; j < lanes; j++) *(f16 *)(weights + j * stride + 16L * leaf) = sum[j];
  }
}

// Eight neighbours as the loop over pairs reads them: [row][8].
struct tile {
  float y[L_COUNT * L_COUNT][3][8];  // harmonic, its derivatives along the two tangents over r
  float direction[3][3][8];          // unit vector, tangents
};

// e1, e2: with u = (x, y, z) an orthonormal frame that is nowhere singular (Duff et al. 2017).
INLINE void tangents(const v8 *x, const v8 *y, const v8 *z, v8 e1[3], v8 e2[3]) {
  l8 negative = *z < 0;
  v8 one = *z * 0 + 1, s = (v8)(((l8)-one & negative) | ((l8)one & ~negative));
  v8 a = -1 / (s + *z), b = *x * *y * a;
  e1[0] = 1 + s * *x * *x * a, e1[1] = s * b, e1[2] = -s * *x;
  e2[0] = b, e2[1] = s + *y * *y * a, e2[2] = -*y;
}

INLINE void store(float *out, const v8 *value) { *(f8 *)out = __builtin_convertvector(*value, f8); }

INLINE void store_harmonic(const v8 *y, const v8 *gx, const v8 *gy, const v8 *gz, const v8 e1[3], const v8 e2[3],
                           const v8 *inverse, float out[3][8]) {
  v8 along = (*gx * e1[0] + *gy * e1[1] + *gz * e1[2]) * *inverse,
     across = (*gx * e2[0] + *gy * e2[1] + *gz * e2[2]) * *inverse;
  store(out[0], y), store(out[1], &along), store(out[2], &across);
}

INLINE void fill(const struct sluice_ace_harmonics *h, int lmax, const v8 *x, const v8 *y, const v8 *z,
                 const v8 *inverse, struct tile *t) {
  v8 cosines[L_COUNT], sines[L_COUNT], f[L_COUNT], df[L_COUNT], e1[3], e2[3];
  const v8 zero = {0};
  tangents(x, y, z, e1, e2);
  store(t->direction[0][0], x), store(t->direction[0][1], y), store(t->direction[0][2], z);
  for (int d = 0; d < 3; d++) store(t->direction[1][d], &e1[d]), store(t->direction[2][d], &e2[d]);
  if (lmax < 0) return;
  azimuthal(lmax, x, y, cosines, sines);
  for (int m = 0; m <= lmax; m++) {
    legendre(h, lmax, m, z, f, df);
    v8 cm = m ? m * cosines[m - 1] : zero, sm = m ? m * sines[m - 1] : zero;
    for (int l = m; l <= lmax; l++) {
      v8 value = f[l] * cosines[m], gx = f[l] * cm, gy = -(f[l] * sm), gz = df[l] * cosines[m];
      store_harmonic(&value, &gx, &gy, &gz, e1, e2, inverse, t->y[LM(l, m)]);
      if (m == 0) continue;
      value = f[l] * sines[m], gx = f[l] * sm, gy = f[l] * cm, gz = df[l] * sines[m];
      store_harmonic(&value, &gx, &gy, &gz, e1, e2, inverse, t->y[LM(l, -m)]);
    }
  }
}

// Adds the `ms` harmonics of one l with `count` radial functions: g, dg [n][8], y [m][3][8], own and other weights
// [m][n][16]; other counts with `sign`. Sums along the direction and along both tangents.
INLINE void add_l(int count, int ms, float sign, const float *g, const float *dg, const float (*y)[3][8],
                  const float *own, const float *other, f16 *radial, f16 *first, f16 *second) {
  float value[8], slope[8];
  for (int n = 0; n < count; n++) value[n] = g[8 * n], slope[n] = dg[8 * n];
  for (int m = 0; m < ms; m++, own += 16 * count, other += 16 * count) {
    f16 s = {0}, t = {0};
    for (int n = 0; n < count; n++) {
      f16 w = *(const f16 *)(own + 16 * n) + sign * *(const f16 *)(other + 16 * n);
      s += w * value[n], t += w * slope[n];
    }
    *radial += t * y[m][0][0], *first += s * y[m][1][0], *second += s * y[m][2][0];
  }
}

INLINE void add_l_of(int count, int ms, float sign, const float *g, const float *dg, const float (*y)[3][8],
                     const float *own, const float *other, f16 *radial, f16 *first, f16 *second) {
  // Numbers of functions that the compiler knows stay in registers.
  if (count == 1) add_l(1, ms, sign, g, dg, y, own, other, radial, first, second);
  else if (count == 2) add_l(2, ms, sign, g, dg, y, own, other, radial, first, second);
  else if (count == 3) add_l(3, ms, sign, g, dg, y, own, other, radial, first, second);
  else if (count == 4) add_l(4, ms, sign, g, dg, y, own, other, radial, first, second);
  else if (count == 5) add_l(5, ms, sign, g, dg, y, own, other, radial, first, second);
  else if (count == 6) add_l(6, ms, sign, g, dg, y, own, other, radial, first, second);
  else
    for (int m = 0; m < ms; m++, own += 16 * count, other += 16 * count)
      for (int n = 0; n < count; n++)
        add_l(1, 1, sign, g + 8 * n, dg + 8 * n, y + m, own + 16 * n, other + 16 * n, radial, first, second);
}

// Up to eight pairs of one centre; `own` and `forces` of the centre.
INLINE void add_pairs(const struct sluice_ace_channel *ch, const struct tile *tile, const float *g, const float *dg,
                      const struct sluice_ace_member_pair *pairs, int count, const float *own, f16 own_force[3],
                      f16 strain[9]) {
  for (int p = 0; p < count; p++) {
    const float *other = pairs[p].weights;
    f16 radial = {0}, first = {0}, second = {0};
    for (int n = 0; n < ch->first_count; n++) {
      long at = 16L * (ch->first_base + n);
      radial += (*(const f16 *)(own + at) + *(const f16 *)(other + at)) * dg[8 * n + p];
    }
    for (int l = 0; l <= ch->lmax; l++) {
      int row = 8 * ch->rows[l];
      long at = 16L * ch->bases[l];
      add_l_of(ch->counts[l], 2 * l + 1, l & 1 ? -1 : 1, g + row + p, dg + row + p,
               (const float(*)[3][8])&tile->y[l * l][0][p], own + at, other + at, &radial, &first, &second);
    }
    f16 *force = (f16 *)pairs[p].forces;
    for (int d = 0; d < 3; d++) {
      f16 gradient = radial * tile->direction[0][d][p] + first * tile->direction[1][d][p]
                   + second * tile->direction[2][d][p];
      own_force[d] += gradient;
      force[d] -= gradient;
      for (int k = 0; k < 3; k++) strain[3 * k + d] += pairs[p].distance * tile->direction[0][k][p] * gradient;
    }
  }
}

CLONES void sluice_ace_member_forces(const struct sluice_ace_channel *ch, const struct sluice_ace_harmonics *h,
                                     const struct sluice_ace_neighbors *nb, int32_t rows,
                                     const struct sluice_ace_member_pair *pairs, int32_t count, const float *own,
                                     float *own_forces, float *radial, double *strain) {
  struct tile tile __attribute__((aligned(64)));
  f16 force[3] = {{0}}, sum[9] = {{0}};
  for (int first = 0; first < count; first += 8) {
    int here = count - first < 8 ? count - first : 8;
    double c[4][8] __attribute__((aligned(64)));
    for (int p = 0; p < 8; p++) {
      // Lanes without a pair repeat the last one, to no effect.
      int k = pairs[first + (p < here ? p : here - 1)].entry;
      c[0][p] = nb->x[k], c[1][p] = nb->y[k], c[2][p] = nb->z[k], c[3][p] = nb->inverse[k];
      for (int r = 0; r < rows; r++) {
        radial[8 * r + p] = (float)nb->g[(long)r * nb->stride + k];
        radial[8 * (rows + r) + p] = (float)nb->dg[(long)r * nb->stride + k];
      }
    }
    fill(h, ch->lmax, (const v8 *)c[0], (const v8 *)c[1], (const v8 *)c[2], (const v8 *)c[3], &tile);
    add_pairs(ch, &tile, radial, radial + 8L * rows, pairs + first, here, own, force, sum);
  }
  for (int d = 0; d < 3; d++) ((f16 *)own_forces)[d] += force[d];
  for (int k = 0; k < 9; k++)
    for (int m = 0; m < 16; m++) strain[16 * k + m] += sum[k][m];
}
