import { callsApart } from './apart.mjs';
import { startProsody } from './prosody.mjs';

callsApart(startProsody);
