//! Lists of entities of several kinds, and what commands say of them.
