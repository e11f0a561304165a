// Dino and a person at her gateway address, in networks of their own, over Ejabberd.

import { testDinoApart } from './dino-apart.mjs';
import { startEjabberd } from './ejabberd.mjs';

testDinoApart({ startServer: startEjabberd, carry: false });
