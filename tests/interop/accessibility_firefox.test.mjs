import { testAccessibility } from './accessibility.mjs';

testAccessibility('firefox');
