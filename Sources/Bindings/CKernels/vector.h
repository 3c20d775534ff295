// Eight doubles at a time, whatever the processor: the compiler splits them where it must.
// Helpers take pointers, not vectors, so that no vector crosses a function boundary by value.
#pragma once

typedef double v8 __attribute__((vector_size(64), aligned(64), may_alias));
typedef long long l8 __attribute__((vector_size(64), aligned(64), may_alias));

// Empty where a build is for one kind of processor (-DCLONES=), to test what others would run.
#ifndef CLONES
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE double sum8(const v8 *v) {
  double t[8] __attribute__((aligned(64)));
  *(v8 *)t = *v;
  return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
}

// The sums of eight vectors, vector k's in lane k.
INLINE void sums8(const v8 v[8], v8 *out) {
  v8 a[4], b[2];
  for (int k = 0; k < 4; k++)
    a[k] = __builtin_shufflevector(v[2 * k], v[2 * k + 1], 0, 8, 2, 10, 4, 12, 6, 14)
         + __builtin_shufflevector(v[2 * k], v[2 * k + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  for (int k = 0; k < 2; k++)
    b[k] = __builtin_shufflevector(a[2 * k], a[2 * k + 1], 0, 1, 8, 9, 4, 5, 12, 13)
         + __builtin_shufflevector(a[2 * k], a[2 * k + 1], 2, 3, 10, 11, 6, 7, 14, 15);
  *out = __builtin_shufflevector(b[0], b[1], 0, 1, 2, 3, 8, 9, 10, 11)
       + __builtin_shufflevector(b[0], b[1], 4, 5, 6, 7, 12, 13, 14, 15);
}

// Rows become columns.
INLINE void transpose(v8 r[8]) {
  v8 a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    a[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int k = 0; k < 2; k++) {
      b[i + k] = __builtin_shufflevector(a[i + k], a[i + 2 + k], 0, 1, 8, 9, 4, 5, 12, 13);
      b[i + 2 + k] = __builtin_shufflevector(a[i + k], a[i + 2 + k], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int k = 0; k < 4; k++) {
    r[k] = __builtin_shufflevector(b[k], b[4 + k], 0, 1, 2, 3, 8, 9, 10, 11);
    r[4 + k] = __builtin_shufflevector(b[k], b[4 + k], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}
