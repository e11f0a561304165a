import { carriedCalls } from './carried.mjs';
import { startProsody } from './prosody.mjs';

carriedCalls(startProsody);
