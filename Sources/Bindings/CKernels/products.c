// Couplings of one-particle sums to invariants, their adjoints and the rows of design matrices.
#include "CKernels.h"
#include "vector.h"

INLINE void couple(const struct sluice_ace_tables *t, int table, const v8 *x, const v8 *y, v8 *out,
                   int accumulate) {
  int first = t->starts[table], rows = t->starts[table + 1] - first;
  for (int k = 0; k < rows; k++) {
    v8 sum = accumulate ? out[k] : (v8){0};
    for (int e = t->rows[first + k]; e < t->rows[first + k + 1]; e++) {
      int pair = t->pairs[e];
      sum += t->values[e] * x[pair & 0xffff] * y[pair >> 16];
    }
    out[k] = sum;
  }
}

CLONES void sluice_ace_forward(const struct sluice_ace_op *ops, int32_t count,
                               const struct sluice_ace_tables *tables, double *nodes) {
  v8 *n = (v8 *)nodes;
  for (int k = 0; k < count; k++) couple(tables, ops[k].table, n + ops[k].x, n + ops[k].y, n + ops[k].out, 0);
}

CLONES void sluice_ace_values(const struct sluice_ace_function *functions, int32_t count,
                              const double *nodes, double *values) {
  const v8 *n = (const v8 *)nodes;
  for (int f = 0; f < count; f++) {
    const struct sluice_ace_function *p = functions + f;
    v8 sum = {0};
    if (p->y < 0) sum = n[p->x];
    else
      for (int k = 0; k < p->count; k++) sum += n[p->x + k] * n[p->y + k];
    ((v8 *)values)[f] = p->scale * sum;
  }
}

// `count` densities at once, their sums in registers.
INLINE void add_densities(int count, const v8 *values, int functions, const double *coefficients, long stride,
                          v8 *out) {
  v8 sum[8] = {{0}};
  for (int f = 0; f < functions; f++)
    for (int p = 0; p < count; p++) sum[p] += coefficients[f * stride + p] * values[f];
  for (int p = 0; p < count; p++) out[p] = sum[p];
}

CLONES void sluice_ace_densities(const double *values, int32_t functions, const double *coefficients,
                                 int32_t densities, double *out) {
  const v8 *b = (const v8 *)values;
  int p = 0;
  for (; p + 8 <= densities; p += 8)
    add_densities(8, b, functions, coefficients + p, densities, (v8 *)out + p);
  for (; p < densities; p++) add_densities(1, b, functions, coefficients + p, densities, (v8 *)out + p);
}

CLONES void sluice_ace_backward(const struct sluice_ace_op *ops, int32_t op_count,
                                const struct sluice_ace_tables *tables,
                                const struct sluice_ace_function *functions, int32_t function_count,
                                const double *nodes, int32_t components, const double *coefficients,
                                int32_t densities, const double *slopes, double *adjoint) {
  const v8 *n = (const v8 *)nodes, *slope = (const v8 *)slopes;
  v8 *a = (v8 *)adjoint;
  for (int k = 0; k < components; k++) a[k] = (v8){0};
  for (int f = 0; f < function_count; f++) {
    const struct sluice_ace_function *p = functions + f;
    v8 weight = {0};
    for (int d = 0; d < densities; d++) weight += slope[d] * coefficients[(long)f * densities + d];
    weight *= p->scale;
    if (p->y < 0) {
      a[p->x] += weight;
    } else {
      for (int k = 0; k < p->count; k++) {
        a[p->x + k] += weight * n[p->y + k];
        a[p->y + k] += weight * n[p->x + k];
      }
    }
  }
  for (int k = op_count - 1; k >= 0; k--) {
    const struct sluice_ace_op *op = ops + k;
    couple(tables, op->table_x, a + op->out, n + op->y, a + op->x, 1);
    couple(tables, op->table_y, a + op->out, n + op->x, a + op->y, 1);
  }
}

CLONES void sluice_ace_member_adjoints(const struct sluice_ace_term *terms, const int32_t *starts,
                                       int32_t function_count, const double *nodes, int32_t leaves,
                                       const double *coefficients, int32_t members, double *adjoints) {
  const v8 *n = (const v8 *)nodes;
  v8 *a = (v8 *)adjoints;
  for (long k = 0; k < (long)leaves * members; k++) a[k] = (v8){0};
  for (int f = 0; f < function_count; f++) {
    const double *c = coefficients + (long)f * members;
    for (int e = starts[f]; e < starts[f + 1]; e++)
      for (int k = 0; k < terms[e].count; k++) {
        v8 value = terms[e].scale * (terms[e].node < 0 ? (v8){1, 1, 1, 1, 1, 1, 1, 1} : n[terms[e].node + k]);
        v8 *out = a + (long)(terms[e].leaf + k) * members;
        for (int m = 0; m < members; m++) out[m] += c[m] * value;
      }
  }
}

CLONES void sluice_ace_design(const struct sluice_ace_term *terms, const int32_t *starts,
                              int32_t function_count, const double *values, const double *panel,
                              int32_t leaves, int32_t columns, const int32_t *row_of_column, double *out,
                              int64_t stride) {
  for (int c = 0; c < columns; c += 32) {
    const double *part = panel + (long)(c / 32) * leaves * 32;
    for (int f0 = 0; f0 < function_count; f0 += 8) {
      v8 tile[4][8];
      for (int i = 0; i < 8; i++) {
        v8 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        if (f0 + i < function_count)
          for (int e = starts[f0 + i]; e < starts[f0 + i + 1]; e++) {
            const v8 *d = (const v8 *)(part + (long)terms[e].leaf * 32);
            for (int k = 0; k < terms[e].count; k++, d += 4) {
              double w = terms[e].node < 0 ? terms[e].scale : terms[e].scale * values[terms[e].node + k];
              s0 += w * d[0], s1 += w * d[1], s2 += w * d[2], s3 += w * d[3];
            }
          }
        tile[0][i] = s0, tile[1][i] = s1, tile[2][i] = s2, tile[3][i] = s3;
      }
      for (int v = 0; v < 4; v++) {
        transpose(tile[v]);
        for (int j = 0; j < 8; j++) {
          int row = row_of_column[c + 8 * v + j];
          if (row < 0) continue;
          double *o = out + row * stride + f0;
          if (f0 + 8 <= function_count) {
            v8 sum;
            __builtin_memcpy(&sum, o, 64);
            sum += tile[v][j];
            __builtin_memcpy(o, &sum, 64);
          } else {
            double t[8] __attribute__((aligned(64)));
            *(v8 *)t = tile[v][j];
            for (int i = 0; f0 + i < function_count; i++) o[i] += t[i];
          }
        }
      }
    }
  }
}

CLONES void sluice_ace_rows(const double *values, int32_t functions, int32_t lanes, double *out,
                            int64_t stride) {
  for (int f = 0; f < functions; f += 8) {
    int count = functions - f < 8 ? functions - f : 8;
    v8 tile[8];
    for (int i = 0; i < 8; i++) tile[i] = i < count ? ((const v8 *)values)[f + i] : (v8){0};
    transpose(tile);
    for (int lane = 0; lane < lanes; lane++)
      __builtin_memcpy(out + lane * stride + f, &tile[lane], (unsigned long)count * sizeof(double));
  }
}

CLONES void sluice_ace_lane(const double *nodes, int32_t count, int32_t lane, double *out) {
  for (int k = 0; k < count; k++) out[k] = nodes[8 * (long)k + lane];
}
