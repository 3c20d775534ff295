// VASP
