import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

test('a contact created is the first of the list', async () => {
  const created = await service.api.post('/api/contacts', { email: 'jane@acme.com', first_name: 'Jane' });
  expect(created.status).toBe(201);
  const list = await service.api.get('/api/contacts');
  expect(list.body.data.items[0].id).toBe(created.body.data.id);
  expect(list.body.data.total).toBe(1);
});
