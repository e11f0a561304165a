import { testAccessibility } from './accessibility.mjs';

testAccessibility('chromium');
