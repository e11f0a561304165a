// Dino and a person who is called at her own address, in networks of their own, over Ejabberd.

import { testDinoApart } from './dino-apart.mjs';
import { startEjabberd } from './ejabberd.mjs';

testDinoApart({ startServer: startEjabberd, carry: true });
