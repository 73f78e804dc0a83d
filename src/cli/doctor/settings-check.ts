import type { ConfigReading } from '../../config/config.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** Are the settings such that the server would start? */
export function judgeSettings(reading: ConfigReading): readonly Finding[] {
  if (reading.kind === 'problems') {
    return reading.problems.map((text) =>
      problem(text, 'Run the doctor with the variables of the server, then mend this one.'),
    );
  }
  const { config, warnings } = reading;
  const users = config.users.length === 1 ? '1 user' : `${config.users.length} users`;
  return [
    ok(`the settings can be read: ${users} in variables, data in ${config.base}`),
    ...warnings.map((text) => warning(text, 'Remove the variable, or correct its name or value.')),
  ];
}
