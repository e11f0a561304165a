// Dino and a person at her gateway address, in networks of their own, over Prosody.

import { testDinoApart } from './dino-apart.mjs';
import { startProsody } from './prosody.mjs';

testDinoApart({ startServer: startProsody, carry: false });
