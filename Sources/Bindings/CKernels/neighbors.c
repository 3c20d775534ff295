// One-particle sums A over the neighbours of an atom, and their derivatives.
#include "harmonics.h"

CLONES int32_t sluice_ace_gather(const struct sluice_ace_pair *pairs, int32_t count, int32_t first,
                                 const int32_t *elements, int32_t element, double cutoff,
                                 const struct sluice_ace_columns *out, double *nearest) {
  double *x = out->x, *y = out->y, *z = out->z;
  int n = 0;
  for (int k = 0; k < count; k++) {
    const double *d = pairs[k].displacement;
    x[n] = d[0], y[n] = d[1], z[n] = d[2];
    out->atoms[n] = pairs[k].index;
    out->sources[n] = first + k;
    n += elements[pairs[k].index] == element && d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < cutoff * cutoff;
  }
  // Padding points along z at a harmless distance; its radial functions are set to zero.
  int padded = (n + 7) / 8 * 8;
  for (int k = n; k < padded; k++) x[k] = y[k] = 0, z[k] = 1, out->atoms[k] = out->sources[k] = -1;
  v8 smallest = (v8){0} + *nearest;
  for (int b = 0; b < padded; b += 8) {
    v8 *px = (v8 *)(x + b), *py = (v8 *)(y + b), *pz = (v8 *)(z + b);
    v8 r = __builtin_elementwise_sqrt(*px * *px + *py * *py + *pz * *pz), inverse = 1 / r;
    smallest = __builtin_elementwise_min(smallest, r);
    *px *= inverse, *py *= inverse, *pz *= inverse;
    *(v8 *)(out->distance + b) = r;
    *(v8 *)(out->inverse + b) = inverse;
  }
  for (int j = 0; j < 8; j++) *nearest = smallest[j] < *nearest ? smallest[j] : *nearest;
  return n;
}

// Sums over neighbours of `ms` harmonics (rows of y) times `ns` radial functions (rows of g), at most
// eight in all; the sum of harmonic q and function n goes to component q * count + n.
INLINE void add_tile(int ms, int ns, const double *y, const double *g, int padded, int count,
                     const int32_t *place, double *nodes) {
  v8 sum[8] = {{0}}, total;
  for (int b = 0; b < padded; b += 8) {
    v8 value[4];
    for (int n = 0; n < ns; n++) value[n] = *(const v8 *)(g + (long)n * padded + b);
    for (int q = 0; q < ms; q++) {
      v8 harmonic = *(const v8 *)(y + (long)q * padded + b);
      for (int n = 0; n < ns; n++) sum[q * ns + n] += harmonic * value[n];
    }
  }
  sums8(sum, &total);
  for (int q = 0; q < ms; q++)
    for (int n = 0; n < ns; n++) nodes[8 * (long)place[q * count + n]] = total[q * ns + n];
}

// All sums of `ms` harmonics of one l and `count` radial functions, in tiles that fit the registers.
INLINE void add_tiles(int ms, const double *y, const double *g, int padded, int count, const int32_t *place,
                      double *nodes) {
  int n = 0;
  for (; n + 2 < count; n += 4) {
    int ns = count - n < 4 ? count - n : 4, q = 0;
    const double *rows = g + (long)n * padded;
    for (; q + 1 < ms; q += 2) {
      const double *h = y + (long)q * padded;
      if (ns == 4) add_tile(2, 4, h, rows, padded, count, place + q * count + n, nodes);
      else add_tile(2, 3, h, rows, padded, count, place + q * count + n, nodes);
    }
    if (q == ms) continue;
    const double *h = y + (long)q * padded;
    if (ns == 4) add_tile(1, 4, h, rows, padded, count, place + q * count + n, nodes);
    else add_tile(1, 3, h, rows, padded, count, place + q * count + n, nodes);
  }
  for (int q = 0; n < count && q < ms; q += 4) {
    int ns = count - n, left = ms - q;
    const double *h = y + (long)q * padded, *rows = g + (long)n * padded;
    const int32_t *to = place + q * count + n;
    if (ns == 2) {
      if (left >= 4) add_tile(4, 2, h, rows, padded, count, to, nodes);
      else if (left == 3) add_tile(3, 2, h, rows, padded, count, to, nodes);
      else if (left == 2) add_tile(2, 2, h, rows, padded, count, to, nodes);
      else add_tile(1, 2, h, rows, padded, count, to, nodes);
    } else {
      if (left >= 4) add_tile(4, 1, h, rows, padded, count, to, nodes);
      else if (left == 3) add_tile(3, 1, h, rows, padded, count, to, nodes);
      else if (left == 2) add_tile(2, 1, h, rows, padded, count, to, nodes);
      else add_tile(1, 1, h, rows, padded, count, to, nodes);
    }
  }
}

CLONES void sluice_ace_accumulate(const struct sluice_ace_channel *ch,
                                  const struct sluice_ace_harmonics *h,
                                  const struct sluice_ace_neighbors *nb, const int32_t *place, int32_t lane,
                                  double *scratch, double *nodes) {
  const int padded = nb->padded;
  v8 cosines[L_COUNT], sines[L_COUNT], f[L_COUNT];
  for (int b = 0; b < padded; b += 8) {
    *(v8 *)(scratch + b) = (v8){1, 1, 1, 1, 1, 1, 1, 1};
    if (ch->lmax < 1) continue;
    azimuthal(ch->lmax, (const v8 *)(nb->x + b), (const v8 *)(nb->y + b), cosines, sines);
    for (int m = 0; m <= ch->lmax; m++) {
      legendre_values(h, ch->lmax, m, (const v8 *)(nb->z + b), f);
      for (int l = m; l <= ch->lmax; l++) {
        *(v8 *)(scratch + (long)LM(l, m) * padded + b) = f[l] * cosines[m];
        if (m > 0) *(v8 *)(scratch + (long)LM(l, -m) * padded + b) = f[l] * sines[m];
      }
    }
  }
  add_tiles(1, scratch, nb->g, padded, ch->first_count, place + ch->first_base, nodes + lane);
  for (int l = 0; l <= ch->lmax; l++)
    add_tiles(2 * l + 1, scratch + (long)l * l * padded, nb->g + (long)ch->rows[l] * padded, padded,
              ch->counts[l], place + ch->bases[l], nodes + lane);
}

// Members whose adjoints are contracted together.
#define GROUP 4

// s[k] = sum_n w_nk g_n, t[k] = sum_n w_nk g'_n
INLINE void weigh(int group, const double *w, int members, const double *g, const double *dg, int stride,
                  int count, v8 *s, v8 *t) {
  for (int k = 0; k < group; k++) s[k] = t[k] = (v8){0};
  for (int n = 0; n < count; n++) {
    v8 value = *(const v8 *)(g + (long)n * stride), slope = *(const v8 *)(dg + (long)n * stride);
    for (int k = 0; k < group; k++) {
      s[k] += w[(long)n * members + k] * value;
      t[k] += w[(long)n * members + k] * slope;
    }
  }
}

// Sums over l of F and F' with the weights of cos (p) and sin (q) parts, of one m and member.
struct azimuth {
  v8 p[GROUP], pz[GROUP], pr[GROUP];
};

INLINE void add_weighted(int group, const v8 *s, const v8 *t, const v8 *f, const v8 *df, struct azimuth *a) {
  for (int k = 0; k < group; k++) {
    a->p[k] += s[k] * *f;
    a->pz[k] += s[k] * *df;
    a->pr[k] += t[k] * *f;
  }
}

INLINE void contract(int group, const struct sluice_ace_channel *ch, const struct sluice_ace_harmonics *h,
                     const struct sluice_ace_neighbors *nb, int members, const double *adjoint, double *out) {
  v8 cosines[L_COUNT], sines[L_COUNT], f[L_COUNT], df[L_COUNT];
  for (int b = 0; b < nb->padded; b += 8) {
    v8 x = *(const v8 *)(nb->x + b), y = *(const v8 *)(nb->y + b), z = *(const v8 *)(nb->z + b);
    const double *g = nb->g + b, *dg = nb->dg + b;
    v8 radial[GROUP], gx[GROUP], gy[GROUP], gz[GROUP], s[GROUP], t[GROUP];
    for (int k = 0; k < group; k++) gx[k] = gy[k] = gz[k] = (v8){0};
    weigh(group, adjoint + (long)ch->first_base * members, members, g, dg, nb->stride, ch->first_count, s,
          radial);
    if (ch->lmax >= 0) azimuthal(ch->lmax, &x, &y, cosines, sines);
    for (int m = 0; m <= ch->lmax; m++) {
      legendre(h, ch->lmax, m, &z, f, df);
      struct azimuth c, d;
      for (int k = 0; k < group; k++)
        c.p[k] = c.pz[k] = c.pr[k] = d.p[k] = d.pz[k] = d.pr[k] = (v8){0};
      for (int l = m; l <= ch->lmax; l++) {
        int count = ch->counts[l];
        const double *rows = g + (long)ch->rows[l] * nb->stride, *drows = dg + (long)ch->rows[l] * nb->stride;
        const double *w = adjoint + (long)ch->bases[l] * members;
        weigh(group, w + (long)(l + m) * count * members, members, rows, drows, nb->stride, count, s, t);
        add_weighted(group, s, t, f + l, df + l, &c);
        if (m == 0) continue;
        weigh(group, w + (long)(l - m) * count * members, members, rows, drows, nb->stride, count, s, t);
        add_weighted(group, s, t, f + l, df + l, &d);
      }
      for (int k = 0; k < group; k++) {
        radial[k] += c.pr[k] * cosines[m] + d.pr[k] * sines[m];
        gz[k] += c.pz[k] * cosines[m] + d.pz[k] * sines[m];
        if (m == 0) continue;
        gx[k] += m * (c.p[k] * cosines[m - 1] + d.p[k] * sines[m - 1]);
        gy[k] += m * (d.p[k] * cosines[m - 1] - c.p[k] * sines[m - 1]);
      }
    }
    // The recursions extend Y off the sphere; only the tangential part of their gradient counts.
    v8 inverse = *(const v8 *)(nb->inverse + b);
    for (int k = 0; k < group; k++) {
      v8 along = radial[k] - (gx[k] * x + gy[k] * y + gz[k] * z) * inverse;
      double *o = out + 3L * k * nb->padded + b;
      *(v8 *)o = x * along + gx[k] * inverse;
      *(v8 *)(o + nb->padded) = y * along + gy[k] * inverse;
      *(v8 *)(o + 2L * nb->padded) = z * along + gz[k] * inverse;
    }
  }
}

CLONES void sluice_ace_contract(const struct sluice_ace_channel *ch,
                                const struct sluice_ace_harmonics *h,
                                const struct sluice_ace_neighbors *nb, int32_t members,
                                const double *adjoint, double *f) {
  int m = 0;
  for (; m + GROUP <= members; m += GROUP)
    contract(GROUP, ch, h, nb, members, adjoint + m, f + 3L * m * nb->padded);
  for (; m < members; m++) contract(1, ch, h, nb, members, adjoint + m, f + 3L * m * nb->padded);
}

CLONES void sluice_ace_add_radial(const struct sluice_ace_neighbors *nb, const double *slope, double factor,
                                  double *f) {
  for (int b = 0; b < nb->padded; b += 8) {
    v8 s = factor * *(const v8 *)(slope + b);
    *(v8 *)(f + b) += s * *(const v8 *)(nb->x + b);
    *(v8 *)(f + nb->padded + b) += s * *(const v8 *)(nb->y + b);
    *(v8 *)(f + 2L * nb->padded + b) += s * *(const v8 *)(nb->z + b);
  }
}

CLONES void sluice_ace_scatter(const struct sluice_ace_neighbors *nb, const double *distance,
                               int32_t count, const int32_t *atoms, int32_t centre, const double *f,
                               double *forces, double *strain) {
  const double *fx = f, *fy = f + nb->padded, *fz = f + 2L * nb->padded;
  v8 total[3] = {{0}}, sum[9] = {{0}};
  for (int b = 0; b < nb->padded; b += 8) {
    v8 d = *(const v8 *)(distance + b);
    v8 r[3] = {d * *(const v8 *)(nb->x + b), d * *(const v8 *)(nb->y + b), d * *(const v8 *)(nb->z + b)};
    v8 g[3] = {*(const v8 *)(fx + b), *(const v8 *)(fy + b), *(const v8 *)(fz + b)};
    for (int i = 0; i < 3; i++) {
      total[i] += g[i];
      for (int k = 0; k < 3; k++) sum[3 * i + k] += r[i] * g[k];
    }
  }
  for (int i = 0; i < 3; i++) forces[4L * centre + i] += sum8(total + i);
  for (int i = 0; i < 9; i++) strain[i] += sum8(sum + i);
  for (int j = 0; j < count; j++) {
    double *o = forces + 4L * atoms[j];
    o[0] -= fx[j], o[1] -= fy[j], o[2] -= fz[j];
  }
}

INLINE double *panel_at(double *panel, int leaves, int row, int column) {
  return panel + ((long)(column >> 5) * leaves + row) * 32 + (column & 31);
}

// Where one vector of neighbours' gradients goes: the panel's columns x, y, z and the directions.
struct sink {
  double *px, *py, *pz;
  v8 x, y, z;
};

INLINE void put(const struct sink *s, int row, const v8 *value, const v8 *slope, const v8 *tx,
                const v8 *ty, const v8 *tz) {
  *(v8 *)(s->px + row * 32L) = -(*slope * s->x + *value * *tx);
  *(v8 *)(s->py + row * 32L) = -(*slope * s->y + *value * *ty);
  *(v8 *)(s->pz + row * 32L) = -(*slope * s->z + *value * *tz);
}

INLINE void put_harmonic(const struct sink *s, const int32_t *place, const double *g, const double *dg,
                         int stride, int count, const v8 *inverse, const v8 *y, const v8 *gx,
                         const v8 *gy, const v8 *gz) {
  v8 along = *gx * s->x + *gy * s->y + *gz * s->z;
  v8 tx = (*gx - along * s->x) * *inverse, ty = (*gy - along * s->y) * *inverse,
     tz = (*gz - along * s->z) * *inverse;
  for (int n = 0; n < count; n++) {
    v8 value = *(const v8 *)(g + (long)n * stride), slope = *(const v8 *)(dg + (long)n * stride) * *y;
    put(s, place[n], &value, &slope, &tx, &ty, &tz);
  }
}

CLONES void sluice_ace_gradients(const struct sluice_ace_channel *ch,
                                 const struct sluice_ace_harmonics *h,
                                 const struct sluice_ace_neighbors *nb, int32_t first, int32_t width,
                                 const int32_t *place, int32_t leaves, double *panel) {
  v8 cosines[L_COUNT], sines[L_COUNT], f[L_COUNT], df[L_COUNT];
  const v8 zero = {0};
  for (int b = 0; b < nb->padded; b += 8) {
    struct sink s = {panel_at(panel, leaves, 0, first + b), panel_at(panel, leaves, 0, width + first + b),
                     panel_at(panel, leaves, 0, 2 * width + first + b), *(const v8 *)(nb->x + b),
                     *(const v8 *)(nb->y + b), *(const v8 *)(nb->z + b)};
    v8 inverse = *(const v8 *)(nb->inverse + b);
    const double *g = nb->g + b, *dg = nb->dg + b;
    for (int n = 0; n < ch->first_count; n++) {
      v8 slope = *(const v8 *)(dg + (long)n * nb->stride);
      put(&s, place[ch->first_base + n], &zero, &slope, &zero, &zero, &zero);
    }
    if (ch->lmax < 0) continue;
    azimuthal(ch->lmax, &s.x, &s.y, cosines, sines);
    for (int m = 0; m <= ch->lmax; m++) {
      legendre(h, ch->lmax, m, &s.z, f, df);
      v8 cm = m ? m * cosines[m - 1] : zero, sm = m ? m * sines[m - 1] : zero;
      for (int l = m; l <= ch->lmax; l++) {
        int count = ch->counts[l];
        const double *rows = g + (long)ch->rows[l] * nb->stride, *drows = dg + (long)ch->rows[l] * nb->stride;
        const int32_t *base = place + ch->bases[l];
        v8 y = f[l] * cosines[m], gx = f[l] * cm, gy = -(f[l] * sm), gz = df[l] * cosines[m];
        put_harmonic(&s, base + (l + m) * count, rows, drows, nb->stride, count, &inverse, &y, &gx, &gy, &gz);
        if (m == 0) continue;
        y = f[l] * sines[m], gx = f[l] * sm, gy = f[l] * cm, gz = df[l] * sines[m];
        put_harmonic(&s, base + (l - m) * count, rows, drows, nb->stride, count, &inverse, &y, &gx, &gy, &gz);
      }
    }
  }
}

CLONES void sluice_ace_complete(const double *panel, int32_t width, const double *rx, const double *ry,
                                const double *rz, const int32_t *slot, int32_t leaves, double *out,
                                int32_t out_width) {
  for (int row = 0; row < leaves; row++) {
    v8 sum[9] = {{0}};
    for (int b = 0; b < width; b += 8) {
      v8 d[3], x = *(const v8 *)(rx + b), y = *(const v8 *)(ry + b), z = *(const v8 *)(rz + b);
      for (int axis = 0; axis < 3; axis++) {
        d[axis] = *(const v8 *)panel_at((double *)panel, leaves, row, axis * width + b);
        sum[6 + axis] -= d[axis];
        if (!slot) continue;
        double t[8] __attribute__((aligned(64)));
        *(v8 *)t = d[axis];
        for (int j = 0; j < 8; j++)
          if (slot[b + j] >= 0) *panel_at(out, leaves, row, axis * out_width + slot[b + j]) += t[j];
      }
      sum[0] -= x * d[0], sum[1] -= y * d[1], sum[2] -= z * d[2];
      sum[3] -= y * d[2], sum[4] -= x * d[2], sum[5] -= x * d[1];
    }
    for (int k = 0; k < 9; k++) *panel_at(out, leaves, row, 3 * out_width + (k < 6 ? k : k + 2)) = sum8(&sum[k]);
  }
}
