-- entity: employees.department
CREATE SCHEMA employees;
CREATE TYPE employees.employee_gender AS ENUM ('M', 'F');
CREATE TABLE employees.department (id character(4) PRIMARY KEY, dept_name varchar(40) NOT NULL UNIQUE);
CREATE TABLE employees.employee (id bigint PRIMARY KEY, birth_date date NOT NULL, gender employees.employee_gender);
CREATE TABLE employees.department_employee (employee_id bigint NOT NULL REFERENCES employees.employee,
  department_id character(4) NOT NULL REFERENCES employees.department, from_date date NOT NULL,
  PRIMARY KEY (employee_id, department_id));
CREATE TABLE employees.department_manager (employee_id bigint NOT NULL REFERENCES employees.employee,
  department_id character(4) NOT NULL REFERENCES employees.department, PRIMARY KEY (employee_id, department_id));
CREATE TABLE employees.salary (employee_id bigint NOT NULL REFERENCES employees.employee, amount bigint NOT NULL,
  from_date date NOT NULL, PRIMARY KEY (employee_id, from_date));
CREATE TABLE employees.title (employee_id bigint NOT NULL REFERENCES employees.employee, title varchar(50) NOT NULL,
  from_date date NOT NULL, PRIMARY KEY (employee_id, title, from_date));
