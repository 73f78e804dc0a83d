import type { CareCalls } from '../lanes/care-calls.ts';
import type { PeopleCalls } from './people-calls.ts';

/** Everything that the owner of a server can ask for. */
export interface OwnerCalls {
  /** About what is stored. */
  readonly care: CareCalls;
  /** About users and devices. */
  readonly people: PeopleCalls;
}
