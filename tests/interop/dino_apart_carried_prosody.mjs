// Dino and a person who is called at her own address, in networks of their own, over Prosody.

import { testDinoApart } from './dino-apart.mjs';
import { startProsody } from './prosody.mjs';

testDinoApart({ startServer: startProsody, carry: true });
