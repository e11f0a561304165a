import { carriedCalls } from './carried.mjs';

carriedCalls();
