// Radial functions of many distances at once (formulas: docs of ACE file formats; Drautz 2019;
// simplified spherical Bessel functions: Kocer, Mason, Erturk 2020).
#include "CKernels.h"
#include "vector.h"

#include <math.h>

// sin and cos of pi t for 0 <= t <= 1, by Taylor series on the half of the interval nearer to an end.
INLINE void sincos_pi(const v8 *tt, v8 *sine, v8 *cosine) {
  const v8 one = {1, 1, 1, 1, 1, 1, 1, 1};
  v8 t = *tt;
  l8 far = t > 0.5;
  v8 s = (v8)(((l8)(one - t) & far) | ((l8)t & ~far));
  v8 x = s * 3.14159265358979323846, q = x * x;
  v8 sn = q * 0 + 1, cs = q * 0 + 1;
  for (int k = 12; k >= 1; k--) {
    sn = 1 - q * sn * (1.0 / ((2 * k) * (2 * k + 1)));
    cs = 1 - q * cs * (1.0 / ((2 * k - 1) * (2 * k)));
  }
  *sine = x * sn;
  l8 sign = far & (long long)0x8000000000000000ULL;
  *cosine = (v8)((l8)cs ^ sign);
}

// exp(-y) for 0 <= y < 700.
INLINE void exp_minus(const v8 *yy, v8 *out) {
  const double magic = 6755399441055744.0;
  v8 y = *yy;
  v8 shifted = y * 1.4426950408889634074 + magic;
  v8 k = shifted - magic;
  v8 f = (y - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  v8 e = f * 0 + 1;
  for (int i = 14; i >= 1; i--) e = 1 - f * e * (1.0 / i);
  l8 bits = (1023 - ((l8)shifted & 0xfffff)) << 52;
  *out = e * (v8)bits;
}

INLINE void bessel(const struct sluice_ace_radial *p, int slopes, int b, const double *r, int stride,
                   double *g, double *dg) {
  v8 rr = *(const v8 *)(r + b), t = rr / p->cutoff, inverse = 1 / rr;
  v8 s1, c1;
  sincos_pi(&t, &s1, &c1);
  const double wave = 3.14159265358979323846 / p->cutoff;
  v8 s = s1, c = c1;
  v8 sinc = s * inverse * (1 / wave), slope = (c - sinc) * inverse;
  v8 previous = s * 0, dprevious = previous;
  for (int n = 0; n < p->count; n++) {
    v8 sn = s * c1 + c * s1;
    c = c * c1 - s * s1;
    s = sn;
    v8 next = s * inverse * (1 / (wave * (n + 2))), dnext = (c - next) * inverse;
    const double *k = p->constants + 3 * n;
    previous = ((sinc + next) * k[0] + previous * k[1]) * k[2];
    *(v8 *)(g + n * stride + b) = previous;
    sinc = next;
    if (!slopes) continue;
    dprevious = ((slope + dnext) * k[0] + dprevious * k[1]) * k[2];
    *(v8 *)(dg + n * stride + b) = dprevious;
    slope = dnext;
  }
}

// g_k = (1 - T_{k + first}(x)) / 2 times an envelope, or the envelope itself where the order is 0.
INLINE void chebyshev(const struct sluice_ace_radial *p, int slopes, int b, int stride, const v8 *xx,
                      const v8 *dxx, const v8 *env, const v8 *denv, int first, double *g, double *dg) {
  v8 x = *xx, dx = *dxx;
  v8 t0 = x * 0 + 1, t1 = x, d0 = x * 0, d1 = d0 + 1;
  for (int order = 0; order < p->count + first; order++) {
    if (order >= first) {
      v8 f = order ? 0.5 - 0.5 * t0 : t0;
      v8 df = order ? -0.5 * d0 * dx : d0;
      int k = order - first;
      *(v8 *)(g + k * stride + b) = f * *env;
      if (slopes) *(v8 *)(dg + k * stride + b) = df * *env + f * *denv;
    }
    v8 t2 = 2 * x * t1 - t0, d2 = 2 * t1 + 2 * x * d1 - d0;
    t0 = t1, t1 = t2, d0 = d1, d1 = d2;
  }
}

INLINE void exponential(const struct sluice_ace_radial *p, int slopes, int b, const double *r, int stride,
                        double *g, double *dg) {
  const double pi = 3.14159265358979323846;
  v8 rr = *(const v8 *)(r + b), t = rr / p->cutoff, y = t * p->lambda, e;
  exp_minus(&y, &e);
  v8 limit = t * 0 + p->lambda, elimit;
  exp_minus(&limit, &elimit);
  v8 factor = 2 / (1 - elimit);
  v8 x = 1 - factor * (e - elimit), dx = factor * e * (p->lambda / p->cutoff);
  v8 s, c;
  sincos_pi(&t, &s, &c);
  v8 env = 0.5 + 0.5 * c, denv = s * (-0.5 * pi / p->cutoff);
  v8 u = (rr - (p->cutoff - p->shell)) / p->shell;
  l8 outer = u > 0;
  u = (v8)((l8)u & outer);
  sincos_pi(&u, &s, &c);
  v8 shell = 0.5 + 0.5 * c, dshell = (v8)((l8)(s * (-0.5 * pi / p->shell)) & outer);
  denv = denv * shell + env * dshell;
  env = env * shell;
  chebyshev(p, slopes, b, stride, &x, &dx, &env, &denv, 0, g, dg);
}

INLINE void power(const struct sluice_ace_radial *p, int slopes, int b, const double *r, int stride,
                  double *g, double *dg) {
  double y[8] __attribute__((aligned(64))), dy[8] __attribute__((aligned(64)));
  int whole = (int)p->lambda;
  for (int j = 0; j < 8; j++) {
    double u = 1 - r[b + j] / p->cutoff, raised = 1;
    if (whole == p->lambda && whole <= 16)
      for (int k = 1; k < whole; k++) raised *= u;
    else
      raised = pow(u, p->lambda - 1);
    y[j] = raised * u;
    dy[j] = -p->lambda * raised / p->cutoff;
  }
  v8 x = 1 - 2 * *(v8 *)y, dx = -2 * *(v8 *)dy, one = x * 0 + 1, zero = x * 0;
  chebyshev(p, slopes, b, stride, &x, &dx, &one, &zero, 1, g, dg);
}

INLINE void linear(const struct sluice_ace_radial *p, int slopes, int b, const double *r, int stride,
                   double *g, double *dg) {
  v8 x = 1 - *(const v8 *)(r + b) / p->cutoff, one = x * 0 + 1, zero = x * 0, dx = zero - 1 / p->cutoff;
  chebyshev(p, slopes, b, stride, &x, &dx, &one, &zero, 1, g, dg);
}

// g (1 - fc), where the polynomial step fc falls from 1 to 0 over inner_width before inner_cutoff.
INLINE void fade_inside(const struct sluice_ace_radial *p, const double *r, int atoms, int stride,
                        double *g, double *dg) {
  for (int j = 0; j < atoms; j++) {
    if (r[j] >= p->inner_cutoff) continue;
    double keep = 0, slope = 0;
    if (r[j] > p->inner_cutoff - p->inner_width) {
      double x = 1 - 2 * (1 + (r[j] - p->inner_cutoff) / p->inner_width);
      keep = 0.5 - 3.75 * (x / 4 - x * x * x / 6 + x * x * x * x * x / 20);
      slope = 2 * 3.75 / 4 * (1 - x * x) * (1 - x * x) / p->inner_width;
    }
    for (int k = 0; k < p->count; k++) {
      if (dg) dg[k * stride + j] = dg[k * stride + j] * keep + g[k * stride + j] * slope;
      g[k * stride + j] *= keep;
    }
  }
}

INLINE void functions(const struct sluice_ace_radial *p, int slopes, const double *r, int padded, int stride,
                      double *g, double *dg) {
  for (int b = 0; b < padded; b += 8) {
    if (p->kind == 0) bessel(p, slopes, b, r, stride, g, dg);
    else if (p->kind == 1) exponential(p, slopes, b, r, stride, g, dg);
    else if (p->kind == 2) power(p, slopes, b, r, stride, g, dg);
    else linear(p, slopes, b, r, stride, g, dg);
  }
}

CLONES void sluice_ace_radial_functions(const struct sluice_ace_radial *p, const double *r, int32_t atoms,
                                        int32_t padded, int32_t stride, double *g, double *dg) {
  if (dg) functions(p, 1, r, padded, stride, g, dg);
  else functions(p, 0, r, padded, stride, g, dg);
  if (p->inner_cutoff > 0) fade_inside(p, r, atoms, stride, g, dg);
  for (int k = 0; k < p->count; k++)
    for (int j = atoms; j < padded; j++) {
      g[k * stride + j] = 0;
      if (dg) dg[k * stride + j] = 0;
    }
}

CLONES void sluice_ace_mix(const double *mixing, int32_t rows, int32_t count, int32_t padded,
                           int32_t stride, const double *g, double *out) {
  for (int i = 0; i < rows; i++)
    for (int b = 0; b < padded; b += 8) {
      v8 sum = {0};
      for (int k = 0; k < count; k++) sum += mixing[i * count + k] * *(const v8 *)(g + k * stride + b);
      *(v8 *)(out + i * stride + b) = sum;
    }
}

CLONES void sluice_ace_interpolate(const double *r, const double *start, double width, int32_t rows,
                                   int32_t padded, double *g, double *dg, const double *end,
                                   const double *end_slope) {
  for (int b = 0; b < padded; b += 8) {
    v8 t = (*(const v8 *)(r + b) - *(const v8 *)(start + b)) / width;
    for (int i = 0; i < rows; i++) {
      long at = (long)i * padded + b;
      v8 a = *(v8 *)(g + at), da = *(v8 *)(dg + at) * width, e = *(const v8 *)(end + at),
         de = *(const v8 *)(end_slope + at) * width;
      v8 c2 = 3 * (e - a) - 2 * da - de, c3 = 2 * (a - e) + da + de;
      *(v8 *)(g + at) = a + t * (da + t * (c2 + t * c3));
      *(v8 *)(dg + at) = (da + t * (2 * c2 + t * 3 * c3)) / width;
    }
  }
}

// The knot below a distance, such that the next one is in the table.
INLINE int knot_below(const struct sluice_ace_table *table, double r) {
  int k = (int)(r / table->width);
  if (k < 1) k = 1;
  return k < table->knots - 2 ? k : table->knots - 2;
}

CLONES void sluice_ace_look_up(const struct sluice_ace_table *table, const double *r, int32_t atoms,
                               int32_t padded, double *g, double *dg) {
  const double width = table->width;
  const long groups = (table->rows + 7) / 8;
  for (int b = 0; b < padded; b += 8)
    for (int group = 0; group < groups; group++) {
      v8 value[8], slope[8];
      for (int j = 0; j < 8; j++) {
        value[j] = slope[j] = (v8){0};
        if (b + j >= atoms) continue;
        int k = knot_below(table, r[b + j]);
        double t = (r[b + j] - width * k) / width;
        const v8 *low = (const v8 *)table->values + (k * groups + group) * 2, *high = low + 2 * groups;
        v8 a = low[0], da = low[1] * width, e = high[0], de = high[1] * width;
        v8 c2 = 3 * (e - a) - 2 * da - de, c3 = 2 * (a - e) + da + de;
        value[j] = a + t * (da + t * (c2 + t * c3));
        slope[j] = (da + t * (2 * c2 + t * 3 * c3)) * (1 / width);
      }
      int rows = table->rows - 8 * group < 8 ? table->rows - 8 * group : 8;
      transpose(value);
      for (int i = 0; i < rows; i++) *(v8 *)(g + (8L * group + i) * padded + b) = value[i];
      if (!dg) continue;
      transpose(slope);
      for (int i = 0; i < rows; i++) *(v8 *)(dg + (8L * group + i) * padded + b) = slope[i];
    }
}

// Keeps what is near and no padding.
INLINE void kept(const v8 *r, double cutoff, int b, int atoms, l8 *keep) {
  const l8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
  *keep = (l8)(*r < cutoff) & (lane < (long long)(atoms - b));
}

CLONES double sluice_ace_core(double prefactor, double exponent, double cutoff, const double *r, int32_t atoms,
                              int32_t padded, double *slope) {
  const double wave = 3.14159265358979323846 / cutoff;
  v8 sum = {0};
  for (int b = 0; b < padded; b += 8) {
    v8 rr = *(const v8 *)(r + b), inverse = 1 / rr, y = exponent * rr * rr, e, s, c;
    l8 keep;
    kept(&rr, cutoff, b, atoms, &keep);
    keep &= (l8)(y < 50);
    y = (v8)((l8)y & keep);
    v8 t = (v8)((l8)(rr / cutoff) & keep);
    exp_minus(&y, &e);
    sincos_pi(&t, &s, &c);
    v8 f = prefactor * e * inverse, fade = 0.5 * (1 + c);
    v8 df = f * (-2 * exponent * rr - inverse);
    sum += (v8)((l8)(f * fade) & keep);
    *(v8 *)(slope + b) = (v8)((l8)(df * fade - f * (0.5 * wave) * s) & keep);
  }
  return sum8(&sum);
}

CLONES double sluice_ace_core_look_up(const struct sluice_ace_table *table, double cutoff, const double *r,
                                      int32_t atoms, int32_t padded, double *slope) {
  const double width = table->width;
  v8 sum = {0};
  for (int b = 0; b < padded; b += 8) {
    double at[5][8] __attribute__((aligned(64)));
    for (int j = 0; j < 8; j++) {
      int k = knot_below(table, r[b + j]);
      for (int i = 0; i < 4; i++) at[i][j] = table->values[2L * k + i];
      at[4][j] = width * k;
    }
    v8 rr = *(const v8 *)(r + b), t = (rr - *(v8 *)at[4]) / width;
    v8 a = *(v8 *)at[0], da = *(v8 *)at[1] * width, e = *(v8 *)at[2], de = *(v8 *)at[3] * width;
    v8 c2 = 3 * (e - a) - 2 * da - de, c3 = 2 * (a - e) + da + de;
    l8 keep;
    kept(&rr, cutoff, b, atoms, &keep);
    sum += (v8)((l8)(a + t * (da + t * (c2 + t * c3))) & keep);
    *(v8 *)(slope + b) = (v8)((l8)((da + t * (2 * c2 + 3 * t * c3)) / width) & keep);
  }
  return sum8(&sum);
}
