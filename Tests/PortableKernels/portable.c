#define CLONES
#define sluice_ace_accumulate portable_accumulate
#define sluice_ace_add_radial portable_add_radial
#define sluice_ace_backward portable_backward
#define sluice_ace_complete portable_complete
#define sluice_ace_contract portable_contract
#define sluice_ace_core portable_core
#define sluice_ace_core_look_up portable_core_look_up
#define sluice_ace_densities portable_densities
#define sluice_ace_design portable_design
#define sluice_ace_forward portable_forward
#define sluice_ace_gather portable_gather
#define sluice_ace_gradients portable_gradients
#define sluice_ace_interpolate portable_interpolate
#define sluice_ace_lane portable_lane
#define sluice_ace_look_up portable_look_up
#define sluice_ace_member_adjoints portable_member_adjoints
#define sluice_ace_member_forces portable_member_forces
#define sluice_ace_member_weights portable_member_weights
#define sluice_ace_mix portable_mix
#define sluice_ace_radial_functions portable_radial_functions
#define sluice_ace_rows portable_rows
#define sluice_ace_scatter portable_scatter
#define sluice_ace_values portable_values
#define sluice_householder_panel portable_householder_panel

#include "../../Sources/Bindings/CHouseholder/panel.c"
#include "../../Sources/Bindings/CKernels/members.c"
#include "../../Sources/Bindings/CKernels/neighbors.c"
#include "../../Sources/Bindings/CKernels/products.c"
#include "../../Sources/Bindings/CKernels/radial.c"
