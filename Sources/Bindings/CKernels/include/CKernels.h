// The hot loops of linear ACE. Plain C with explicit eight-lane vectors; each entry point is compiled
// for baseline x86-64, v3 (AVX2, FMA) and v4 (AVX-512) and chosen at run time.
//
// Two layouts are used. While neighbours of one atom are processed, the lanes are eight neighbours
// (arrays padded to a multiple of 8). While products of one-particle sums are formed, the lanes are
// eight atoms of one element ("block"): node component k of atom `lane` is nodes[8 * k + lane].
// All buffers of doubles are aligned to 64 bytes.
#pragma once
#include <stdint.h>

#define SLUICE_ACE_MAX_L 10

// Radial functions of one bond. `constants`: for SBessel, three per function: prefactor of f_n,
// sqrt(e_n / d_{n-1}), 1 / sqrt(d_n).
struct sluice_ace_radial {
  int32_t kind;  // 0 SBessel, 1 ChebExpCos, 2 ChebPow, 3 ChebLinear
  int32_t count;
  double cutoff, lambda, shell;
  double inner_cutoff, inner_width;  // functions fade inside; inner_cutoff 0 for none
  const double *constants;
};

// Values and derivatives g[k * stride + j], dg[...], k < count, of `atoms` distances; entries from
// `atoms` up to `padded` (a multiple of 8) are set to zero. r is read up to `padded`. dg may be null.
void sluice_ace_radial_functions(const struct sluice_ace_radial *radial, const double *r, int32_t atoms,
                       int32_t padded, int32_t stride, double *g, double *dg);

// rows[i] = sum_k mixing[i * count + k] * g[k], for `rows` functions; g and out may share a buffer.
void sluice_ace_mix(const double *mixing, int32_t rows, int32_t count, int32_t padded, int32_t stride,
                    const double *g, double *out);

// Cubic Hermite interpolation of `rows` functions from values and slopes at the two ends of each
// distance's bin: start[j] and start[j] + width. Entries up to `padded`; results over g, dg.
void sluice_ace_interpolate(const double *r, const double *start, double width, int32_t rows,
                            int32_t padded, double *g, double *dg, const double *end,
                            const double *end_slope);

// Cubic Hermite interpolation in a table of knots k * width, the first one unused: values and slopes of `rows`
// functions, values[((k * groups + row / 8) * 2 + slope) * 8 + row % 8] with groups = ceil(rows / 8).
struct sluice_ace_table {
  int32_t rows, knots;
  double width;
  const double *values;  // aligned to 64 bytes
};

// As sluice_ace_radial_functions, from a table; stride == padded.
void sluice_ace_look_up(const struct sluice_ace_table *table, const double *r, int32_t atoms, int32_t padded,
                        double *g, double *dg);

// Core repulsion of one atom: the sum over `atoms` distances of prefactor exp(-exponent r^2) / r times
// (1 + cos(pi r / cutoff)) / 2, nothing from the cutoff on and from exponent r^2 = 50 on. slope[j]: its derivative,
// zero from `atoms` up to `padded`.
double sluice_ace_core(double prefactor, double exponent, double cutoff, const double *r, int32_t atoms,
                       int32_t padded, double *slope);

// The same from a table of values and slopes, values[2 * k + slope]; nothing from `cutoff` on.
double sluice_ace_core_look_up(const struct sluice_ace_table *table, double cutoff, const double *r, int32_t atoms,
                               int32_t padded, double *slope);

// How the one-particle sums of one neighbour element are laid out: component (l, m, n) is
// bases[l] + (m + l) * counts[l] + n with radial function row rows[l] + n; the rank-1 sums are
// first_base + n with row n.
struct sluice_ace_channel {
  int32_t lmax;  // -1 where there are only rank-1 sums
  int32_t first_count, first_base;
  int32_t counts[SLUICE_ACE_MAX_L + 1], rows[SLUICE_ACE_MAX_L + 1], bases[SLUICE_ACE_MAX_L + 1];
};

// Recursion constants of normalised associated Legendre functions, index l * 11 + m.
struct sluice_ace_harmonics {
  double diagonal[SLUICE_ACE_MAX_L + 1];
  double a[(SLUICE_ACE_MAX_L + 1) * (SLUICE_ACE_MAX_L + 1)];
  double ab[(SLUICE_ACE_MAX_L + 1) * (SLUICE_ACE_MAX_L + 1)];
};

// One entry of a neighbour list, as `NeighborList.Neighbor` lies in memory.
struct sluice_ace_pair {
  double displacement[3];
  int32_t image[3], index;
};

// Where neighbours go, with room for all of them and 7 more.
struct sluice_ace_columns {
  double *x, *y, *z, *inverse, *distance;
  int32_t *atoms, *sources;
};

// Of `count` pairs those with an atom of `element` nearer than `cutoff`, in their order: unit vectors,
// 1/r, r, atom and number (`first` for the first pair); padded to a multiple of 8 with (0, 0, 1), 1, 1,
// -1, -1. Returns how many there are; *nearest falls to the smallest distance (padding included).
int32_t sluice_ace_gather(const struct sluice_ace_pair *pairs, int32_t count, int32_t first,
                          const int32_t *elements, int32_t element, double cutoff,
                          const struct sluice_ace_columns *out, double *nearest);

// Neighbours of one atom and one element: unit vectors, 1/r and radial functions, `padded` long.
struct sluice_ace_neighbors {
  const double *x, *y, *z, *inverse;
  const double *g, *dg;  // [row * stride + j]
  int32_t padded, stride;
};

// nodes[8 * place[component] + lane] = sum over neighbours of g Y, for all components of the channel.
// stride == padded; scratch: (lmax + 1)^2 * padded doubles, at least padded.
void sluice_ace_accumulate(const struct sluice_ace_channel *channel,
                           const struct sluice_ace_harmonics *harmonics,
                           const struct sluice_ace_neighbors *neighbors, const int32_t *place, int32_t lane,
                           double *scratch, double *nodes);

// For each member m: derivative of sum_c adjoint[c * members + m] * A_c with respect to each neighbour's
// displacement, f[(3 * m + axis) * padded + j].
void sluice_ace_contract(const struct sluice_ace_channel *channel,
                         const struct sluice_ace_harmonics *harmonics,
                         const struct sluice_ace_neighbors *neighbors, int32_t members,
                         const double *adjoint, double *f);

// Adds factor * slope[j] along each neighbour's direction to what `contract` gave for one member.
void sluice_ace_add_radial(const struct sluice_ace_neighbors *neighbors, const double *slope, double factor, double *f);

// Adds what `contract` gave for one member, f[axis * padded + j], to sums over pairs:
// forces[4 * centre + axis] += f, forces[4 * atoms[j] + axis] -= f for j < count, and
// strain[3 * a + b] += r_a f_b, r = distance * direction.
void sluice_ace_scatter(const struct sluice_ace_neighbors *neighbors, const double *distance,
                        int32_t count, const int32_t *atoms, int32_t centre, const double *f,
                        double *forces, double *strain);

// out = sum over entries c * x[i] * y[j]: one coupling of two nodes to a third.
struct sluice_ace_op {
  int32_t out, x, y, table, table_x, table_y;
};

struct sluice_ace_tables {
  const int32_t *starts;  // first row of each table; one more than tables
  const int32_t *rows;    // first entry of each row; one more than rows
  const int32_t *pairs;   // i | j << 16
  const double *values;
};

// One basis function: scale * sum_k node x[k] node y[k], or the single node x where y < 0.
struct sluice_ace_function {
  int32_t x, y, count, unused;
  double scale;
};

void sluice_ace_forward(const struct sluice_ace_op *ops, int32_t count,
                        const struct sluice_ace_tables *tables, double *nodes);

// values[8 * f + lane]
void sluice_ace_values(const struct sluice_ace_function *functions, int32_t count, const double *nodes,
                       double *values);

// Rows of atoms from columns of lanes: out[lane * stride + f] = values[8 * f + lane], lane < lanes.
void sluice_ace_rows(const double *values, int32_t functions, int32_t lanes, double *out, int64_t stride);

// densities[8 * p + lane] = sum_f coefficients[f * count_p + p] * values[8 * f + lane]
void sluice_ace_densities(const double *values, int32_t functions, const double *coefficients,
                          int32_t densities, double *out);

// adjoint[node] of sum_f weight_f B_f with weight_f = sum_p slopes[8 p + lane] coefficients[f * densities + p].
// `adjoint` has `components` * 8 entries and is overwritten.
void sluice_ace_backward(const struct sluice_ace_op *ops, int32_t op_count,
                         const struct sluice_ace_tables *tables,
                         const struct sluice_ace_function *functions, int32_t function_count,
                         const double *nodes, int32_t components, const double *coefficients,
                         int32_t densities, const double *slopes, double *adjoint);

// A part of the gradient of a function: d B / d A[leaf + k] has the term scale * node[node + k].
struct sluice_ace_term {
  int32_t node, leaf, count, unused;
  double scale;
};

// adjoints[(leaf * members + m) * 8 + lane] = sum_f coefficients[f * members + m] dB_f/dA_leaf.
void sluice_ace_member_adjoints(const struct sluice_ace_term *terms, const int32_t *starts,
                                int32_t function_count, const double *nodes, int32_t leaves,
                                const double *coefficients, int32_t members, double *adjoints);

// A term of the gradient by one sum: scale * node of `function`, scale alone where node < 0.
struct sluice_ace_leaf_term {
  int32_t function, node;
  float scale;
};

// Sixteen members' adjoints of the sums of up to eight atoms, in single precision:
// weights[lane * stride + 16 * leaf + m] = sum over terms of the leaf: coefficients[16 * function + m] scale node,
// lane < lanes. single: 8 * components floats. Weights and coefficients are aligned to 64 bytes.
void sluice_ace_member_weights(const struct sluice_ace_leaf_term *terms, const int32_t *starts, int32_t leaves,
                               const double *nodes, int32_t components, const float *coefficients, int32_t lanes,
                               float *single, float *weights, int64_t stride);

// A pair that `member_forces` takes for both of its atoms, or, with weights that are zero, for the centre.
struct sluice_ace_member_pair {
  const float *weights;  // the neighbour's, of the channel by which it sees the centre
  float *forces;         // the neighbour's
  float distance;
  int32_t entry;         // among the centre's neighbours
};

// Forces of sixteen members from pairs of one centre and one neighbour element: own and pairs[].weights are
// [component][16] in the channel's order, forces [axis][16]; strain[16 * (3 a + b) + m] += r_a dE/dr_b.
// radial: 16 * rows floats, where the first `rows` radial functions go.
void sluice_ace_member_forces(const struct sluice_ace_channel *channel, const struct sluice_ace_harmonics *harmonics,
                              const struct sluice_ace_neighbors *neighbors, int32_t rows,
                              const struct sluice_ace_member_pair *pairs, int32_t count, const float *own,
                              float *own_forces, float *radial, double *strain);

// Gradients of the one-particle sums of one atom, as columns of a panel matrix: column c of
// component row k is panel[((c / 32) * leaves + k) * 32 + c % 32]. Neighbour j of this call writes
// -dA/dr into columns first + j, width + first + j, 2 width + first + j (x, y, z; multiples of 8).
// place[component] is the row.
void sluice_ace_gradients(const struct sluice_ace_channel *channel,
                          const struct sluice_ace_harmonics *harmonics,
                          const struct sluice_ace_neighbors *neighbors, int32_t first, int32_t width,
                          const int32_t *place, int32_t leaves, double *panel);

// Completes a panel: the strain derivatives, sum over neighbours of r (x) dA/dr, in columns
// 3 out_width + 0...5 (xx yy zz yz xz xy) and the centre's own gradient in 3 out_width + 8...10, signs
// as for neighbours. rx, ry, rz: displacements, `width` long. Where slot is not null, columns of
// neighbours are added into slot[j] of `out` (cleared by the caller; negative: dropped), else
// panel == out.
void sluice_ace_complete(const double *panel, int32_t width, const double *rx, const double *ry,
                         const double *rz, const int32_t *slot, int32_t leaves, double *out,
                         int32_t out_width);

// out[row_of_column[c] * stride + f] += sum over terms of f: scale * values[node + k] * panel(leaf + k, c).
// Columns with a negative row are skipped. `columns` is a multiple of 32.
void sluice_ace_design(const struct sluice_ace_term *terms, const int32_t *starts, int32_t function_count,
                       const double *values, const double *panel, int32_t leaves, int32_t columns,
                       const int32_t *row_of_column, double *out, int64_t stride);

// Copies lane `lane` of `count` node components into a contiguous array.
void sluice_ace_lane(const double *nodes, int32_t count, int32_t lane, double *out);
