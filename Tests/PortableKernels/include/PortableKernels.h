// The entry points of CKernels as `portable_…`: same sources, compiled for baseline x86-64 alone, so that
// tests run on any machine what only old processors would choose.
#pragma once
#include "CHouseholder.h"
#include "CKernels.h"
#include "CNeighbors.h"

void portable_householder_panel(double *p, int64_t rows, int64_t stride, double *r, int64_t r_stride, double *t,
    int64_t t_stride, int32_t width);
void portable_radial_functions(const struct sluice_ace_radial *radial, const double *r, int32_t atoms,
    int32_t padded, int32_t stride, double *g, double *dg);
void portable_mix(const double *mixing, int32_t rows, int32_t count, int32_t padded, int32_t stride, const
    double *g, double *out);
void portable_interpolate(const double *r, const double *start, double width, int32_t rows, int32_t padded,
    double *g, double *dg, const double *end, const double *end_slope);
int32_t portable_gather(const struct sluice_ace_pair *pairs, int32_t count, int32_t first, const int32_t
    *elements, int32_t element, double cutoff, const struct sluice_ace_columns *out, double *nearest);
void portable_accumulate(const struct sluice_ace_channel *channel, const struct sluice_ace_harmonics
    *harmonics, const struct sluice_ace_neighbors *neighbors, const int32_t *place, int32_t lane, double
    *scratch, double *nodes);
void portable_contract(const struct sluice_ace_channel *channel, const struct sluice_ace_harmonics
    *harmonics, const struct sluice_ace_neighbors *neighbors, int32_t members, const double *adjoint, double
    *f);
void portable_scatter(const struct sluice_ace_neighbors *neighbors, const double *distance, int32_t count,
    const int32_t *atoms, int32_t centre, const double *f, double *forces, double *strain);
void portable_forward(const struct sluice_ace_op *ops, int32_t count, const struct sluice_ace_tables
    *tables, double *nodes);
void portable_values(const struct sluice_ace_function *functions, int32_t count, const double *nodes, double
    *values);
void portable_rows(const double *values, int32_t functions, int32_t lanes, double *out, int64_t stride);
void portable_densities(const double *values, int32_t functions, const double *coefficients, int32_t
    densities, double *out);
void portable_backward(const struct sluice_ace_op *ops, int32_t op_count, const struct sluice_ace_tables
    *tables, const struct sluice_ace_function *functions, int32_t function_count, const double *nodes, int32_t
    components, const double *coefficients, int32_t densities, const double *slopes, double *adjoint);
void portable_member_adjoints(const struct sluice_ace_term *terms, const int32_t *starts, int32_t
    function_count, const double *nodes, int32_t leaves, const double *coefficients, int32_t members, double
    *adjoints);
void portable_gradients(const struct sluice_ace_channel *channel, const struct sluice_ace_harmonics
    *harmonics, const struct sluice_ace_neighbors *neighbors, int32_t first, int32_t width, const int32_t
    *place, int32_t leaves, double *panel);
void portable_complete(const double *panel, int32_t width, const double *rx, const double *ry, const double
    *rz, const int32_t *slot, int32_t leaves, double *out, int32_t out_width);
void portable_design(const struct sluice_ace_term *terms, const int32_t *starts, int32_t function_count,
    const double *values, const double *panel, int32_t leaves, int32_t columns, const int32_t *row_of_column,
    double *out, int64_t stride);
void portable_lane(const double *nodes, int32_t count, int32_t lane, double *out);
void portable_look_up(const struct sluice_ace_table *table, const double *r, int32_t atoms, int32_t padded,
    double *g, double *dg);
double portable_core(double prefactor, double exponent, double cutoff, const double *r, int32_t atoms, int32_t
    padded, double *slope);
double portable_core_look_up(const struct sluice_ace_table *table, double cutoff, const double *r, int32_t
    atoms, int32_t padded, double *slope);
void portable_add_radial(const struct sluice_ace_neighbors *neighbors, const double *slope, double factor, double *f);
void portable_member_weights(const struct sluice_ace_leaf_term *terms, const int32_t *starts, int32_t leaves,
    const double *nodes, int32_t components, const float *coefficients, int32_t lanes, float *single, float
    *weights, int64_t stride);
void portable_member_forces(const struct sluice_ace_channel *channel, const struct sluice_ace_harmonics *harmonics,
    const struct sluice_ace_neighbors *neighbors, int32_t rows, const struct sluice_ace_member_pair *pairs,
    int32_t count, const float *own, float *own_forces, float *radial, double *strain);
long portable_neighbors_search(const struct sluice_neighbors_grid *grid, long first, long last, long limit, long
    room, int32_t *found, long *counts);
int32_t portable_neighbors_hand_over(const struct sluice_neighbors_grid *grid, long first, long last,
    long first_centre, long last_centre, const int32_t *found, const long *offsets, long *next, void *list);
