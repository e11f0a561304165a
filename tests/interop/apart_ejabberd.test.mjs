import { callsApart } from './apart.mjs';

callsApart();
