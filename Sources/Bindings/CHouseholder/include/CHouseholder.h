// The innermost part of a QR factorisation of [R; P], R a triangle and P any rows: at most eight columns.
#pragma once

#include <stdint.h>

// Eliminates `width` <= 8 columns of P (row-major, `rows` rows at `stride`; columns up to the eighth must be
// readable and zero) against the upper triangle `r` (row-major, at `r_stride`). On return P holds the reflectors
// V below an identity, r is updated, and the upper triangle of `t` (at `t_stride`) is T of I - [I; V] T [I; V]'.
// Compact WY form: Schreiber, Van Loan 1989. The same bits whatever the processor's vector length, up to
// the contraction of multiply and add.
void sluice_householder_panel(double *p, int64_t rows, int64_t stride, double *r, int64_t r_stride, double *t,
                              int64_t t_stride, int32_t width);
