// Recommendations again, with every service in a process of its own.
import { apartVariable } from '../../support/apart-variable.ts';

process.env[apartVariable] = 'yes';
await import('../services/recommendations/rows.test.ts');
