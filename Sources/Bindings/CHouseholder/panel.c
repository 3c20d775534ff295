#include "CHouseholder.h"

#include <math.h>

// One row of the panel: eight doubles, split by the compiler where a processor has shorter vectors.
typedef double v8 __attribute__((vector_size(64), aligned(8), may_alias));

#ifndef CLONES  // tests build it without
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#endif

// Each pass over the rows applies the last reflector (row = m * row - row[j-1] * c, which scales column j-1 to v)
// and sums the products of column j with all columns, from which the next one is made.
CLONES void sluice_householder_panel(double *p, int64_t rows, int64_t stride, double *r, int64_t r_stride, double *t,
                                     int64_t t_stride, int32_t width) {
  double tau[8];
  const v8 ones = {1, 1, 1, 1, 1, 1, 1, 1};
  v8 m = ones, c = {0};
  for (int j = 0; j < width; j++) {
    v8 even = {0}, odd = {0};
    int last = j > 0 ? j - 1 : 0;
    int64_t i = 0;
    for (; i + 1 < rows; i += 2) {
      v8 *a = (v8 *)(p + i * stride), *b = (v8 *)(p + (i + 1) * stride);
      v8 x = *a, y = *b;
      x = m * x - x[last] * c;
      y = m * y - y[last] * c;
      *a = x;
      *b = y;
      even += x[j] * x;
      odd += y[j] * y;
    }
    if (i < rows) {
      v8 *a = (v8 *)(p + i * stride), x = *a;
      x = m * x - x[last] * c;
      *a = x;
      even += x[j] * x;
    }
    v8 products = even + odd;
    double *pivot = r + j * r_stride;
    double alpha = pivot[j], squares = products[j];
    m = ones;
    c = (v8){0};
    if (squares == 0) {  // nothing to eliminate
      tau[j] = 0;
      continue;
    }
    double beta = sqrt(alpha * alpha + squares);
    if (alpha > 0) beta = -beta;
    double scale = 1 / (alpha - beta);
    tau[j] = (beta - alpha) / beta;
    pivot[j] = beta;
    m[j] = scale;
    for (int k = j + 1; k < width; k++) {
      double w = tau[j] * (pivot[k] + scale * products[k]);
      pivot[k] -= w;
      c[k] = scale * w;
    }
  }

  v8 gram[8];
  for (int k = 0; k < 8; k++) gram[k] = (v8){0};
  for (int64_t i = 0; i < rows; i++) {
    v8 *a = (v8 *)(p + i * stride), x = *a;
    x = m * x - x[width - 1] * c;
    *a = x;
    for (int k = 0; k < 8; k++) gram[k] += x[k] * x;
  }
  for (int j = 0; j < width; j++) {
    for (int i = 0; i < j; i++) {
      double sum = 0;
      for (int k = i; k < j; k++) sum += t[i * t_stride + k] * gram[k][j];
      t[i * t_stride + j] = -tau[j] * sum;
    }
    t[j * t_stride + j] = tau[j];
  }
}
