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
