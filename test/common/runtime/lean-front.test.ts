import { testLeanFront } from '../../support/lean-front-cases.ts';

testLeanFront();
