// Before every test: properties are tried with the same values in each run, so that one that holds today holds tomorrow.
// New values are tried by `./dev fuzz` and `./dev soak`.
import fc from 'fast-check';

fc.configureGlobal({ seed: 20_261_121 });
