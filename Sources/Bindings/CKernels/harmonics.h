// Real spherical harmonics of eight directions, normalised to Y00 = 1, from recursions in z and
// powers of x + iy. With F_lm(z) the normalised Legendre factor (Condon-Shortley phase, sqrt 2 for
// m > 0): Y_l,m = F_lm Re (x + iy)^m, Y_l,-m = F_lm Im (x + iy)^m.
#pragma once
#include "CKernels.h"
#include "vector.h"

#define L_COUNT (SLUICE_ACE_MAX_L + 1)
#define LM(l, m) ((l) * (l) + (l) + (m))

// cosines[m] + i sines[m] = (x + iy)^m, m <= lmax.
INLINE void azimuthal(int lmax, const v8 *x, const v8 *y, v8 *cosines, v8 *sines) {
  cosines[0] = *x * 0 + 1;
  sines[0] = *x * 0;
  for (int m = 1; m <= lmax; m++) {
    cosines[m] = cosines[m - 1] * *x - sines[m - 1] * *y;
    sines[m] = sines[m - 1] * *x + cosines[m - 1] * *y;
  }
}

// F_lm and its derivative by z for l = m ... lmax at one m.
INLINE void legendre(const struct sluice_ace_harmonics *h, int lmax, int m, const v8 *z, v8 *f, v8 *df) {
  f[m] = *z * 0 + h->diagonal[m];
  df[m] = *z * 0;
  if (m < lmax) {
    double a = h->a[(m + 1) * L_COUNT + m];
    f[m + 1] = a * *z * f[m];
    df[m + 1] = a * f[m];
  }
  for (int l = m + 2; l <= lmax; l++) {
    double a = h->a[l * L_COUNT + m], ab = h->ab[l * L_COUNT + m];
    f[l] = a * *z * f[l - 1] - ab * f[l - 2];
    df[l] = a * (f[l - 1] + *z * df[l - 1]) - ab * df[l - 2];
  }
}

INLINE void legendre_values(const struct sluice_ace_harmonics *h, int lmax, int m, const v8 *z, v8 *f) {
  f[m] = *z * 0 + h->diagonal[m];
  if (m < lmax) f[m + 1] = h->a[(m + 1) * L_COUNT + m] * *z * f[m];
  for (int l = m + 2; l <= lmax; l++)
    f[l] = h->a[l * L_COUNT + m] * *z * f[l - 1] - h->ab[l * L_COUNT + m] * f[l - 2];
}
